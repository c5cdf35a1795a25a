defmodule Orchestrator.Monitor do
  @moduledoc """
  Runs one check at a fixed rate and reports each result.

  A check runs in a process of its own, so that one that crashes is a result (`down`) and not the end of the
  monitor. A check that takes longer than the interval is not overtaken: the missed runs are dropped.
  """
  use GenServer

  # No check may take longer, whatever its interval.
  @longest_check 10_000

  @doc "Options: `:monitor`, a parsed line of the file, and `:report`, called with each result."
  def start_link(options), do: GenServer.start_link(__MODULE__, options)

  def child_spec(options),
    do: %{id: {__MODULE__, options[:monitor].name}, start: {__MODULE__, :start_link, [options]}}

  @impl true
  def init(options) do
    state = %{monitor: options[:monitor], report: options[:report]}
    # Spreads the first runs: a restart must not hit everything that is watched at the same moment.
    first = min(state.monitor.every, 1_000)
    Process.send_after(self(), :run, :rand.uniform(first) - 1)
    {:ok, state}
  end

  @impl true
  def handle_info(:run, %{monitor: monitor} = state) do
    started = System.monotonic_time(:millisecond)
    outcome = run(monitor)
    took = System.monotonic_time(:millisecond) - started

    state.report.(%{
      monitor: monitor.name,
      status: if(outcome == :up, do: :up, else: :down),
      reason: with({:down, reason} <- outcome, do: reason),
      duration_ms: took,
      at: DateTime.utc_now()
    })

    Process.send_after(self(), :run, monitor.every - rem(took, monitor.every))
    {:noreply, state}
  end

  defp run(%{check: check, every: every}) do
    timeout = min(every, @longest_check)
    task = Task.Supervisor.async_nolink(Orchestrator.Checks, Orchestrator.Check, :run, [check, timeout])

    # A second more than the check gives itself, for those that cannot keep it (a name server that hangs).
    case Task.yield(task, timeout + 1_000) || Task.shutdown(task, :brutal_kill) do
      {:ok, outcome} -> outcome
      {:exit, _reason} -> {:down, "the check crashed"}
      nil -> {:down, "timeout"}
    end
  end
end
