defmodule Orchestrator.Application do
  @moduledoc """
  Starts the orchestrator: results, forwarder, monitors, endpoint, in the order they need each other.
  """
  use Application

  @impl true
  def start(_type, _arguments) do
    settings = Application.get_all_env(:orchestrator)
    children = if Keyword.get(settings, :start, true), do: children(settings), else: []
    Supervisor.start_link(children, strategy: :rest_for_one, name: Orchestrator.Supervisor)
  end

  @doc "The children of the top supervisor, for these settings."
  def children(settings) do
    monitors = Orchestrator.MonitorsFile.read!(settings[:monitors_file])

    [
      {Orchestrator.Results, monitors},
      {Orchestrator.Forwarder, Keyword.take(settings, [:forward_to, :api_token])},
      {Task.Supervisor, name: Orchestrator.Checks},
      %{id: Orchestrator.Monitors, type: :supervisor, start: {__MODULE__, :start_monitors, [monitors]}},
      {Orchestrator.Endpoint,
       name: Orchestrator.Endpoint,
       bind: Keyword.get(settings, :bind, {127, 0, 0, 1}),
       port: Keyword.get(settings, :port, 4480)}
    ]
  end

  @doc false
  def start_monitors(monitors) do
    children = for monitor <- monitors, do: {Orchestrator.Monitor, monitor: monitor, report: &report/1}
    Supervisor.start_link(children, strategy: :one_for_one, name: Orchestrator.Monitors)
  end

  defp report(result) do
    Orchestrator.Results.put(result)
    Orchestrator.Forwarder.forward(result)
  end
end
