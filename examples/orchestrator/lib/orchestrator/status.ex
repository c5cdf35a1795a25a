defmodule Orchestrator.Status do
  @moduledoc """
  What the endpoint says: `/health` for load balancers, `/metrics` for Prometheus (text format 0.0.4).

  `/health` is about the orchestrator. Something it watches being down is its finding, not its illness, so the
  answer stays 200 and says how many are down.
  """

  @version Mix.Project.config()[:version]

  @doc "The answer to a request for `path`."
  @spec respond(String.t()) :: {status :: pos_integer, content_type :: String.t(), String.t()}
  def respond("/health") do
    results = Orchestrator.Results.all()
    down = Enum.count(results, fn {_, last, _} -> match?(%{status: :down}, last) end)
    body = [status: "ok", version: @version, monitors: length(results), down: down]
    {200, "application/json", Orchestrator.JSON.object(body) <> "\n"}
  end

  def respond("/metrics") do
    results = Orchestrator.Results.all()
    seen = for {name, %{} = last, _} <- results, do: {name, last}
    forward = Orchestrator.Forwarder.counts()

    body =
      Enum.join([
        metric("build_info", "gauge", "The running version.", [{~s({version="#{@version}"}), 1}]),
        metric("monitor_up", "gauge", "Whether the last check succeeded.", up(seen)),
        metric("check_duration_seconds", "gauge", "How long it took.", durations(seen)),
        metric("checks_total", "counter", "Checks since the start.", counts(results)),
        metric("forwarded_total", "counter", "Results handed on.", [{"", forward.forwarded}]),
        metric("forward_waiting", "gauge", "Results to hand on.", [{"", forward.waiting}]),
        metric("forward_dropped_total", "counter", "Results given up.", [{"", forward.dropped}])
      ])

    {200, "text/plain; version=0.0.4; charset=utf-8", body}
  end

  def respond(_path), do: {404, "text/plain", "there is /health and /metrics\n"}

  defp up(seen), do: for({name, last} <- seen, do: {label(name), if(last.status == :up, do: 1, else: 0)})
  defp durations(seen), do: for({name, last} <- seen, do: {label(name), last.duration_ms / 1_000})

  defp counts(results) do
    for {name, _, counts} <- results, {status, count} <- counts do
      {~s({monitor="#{name}",status="#{status}"}), count}
    end
  end

  # Names hold nothing that a label value would have to escape; `Orchestrator.MonitorsFile` sees to it.
  defp label(name), do: ~s({monitor="#{name}"})

  defp metric(name, type, help, samples) do
    name = "orchestrator_" <> name
    lines = for {labels, value} <- samples, do: "#{name}#{labels} #{value}\n"
    Enum.join(["# HELP #{name} #{help}\n# TYPE #{name} #{type}\n" | lines])
  end
end
