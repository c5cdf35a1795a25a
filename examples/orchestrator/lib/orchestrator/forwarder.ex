defmodule Orchestrator.Forwarder do
  @moduledoc """
  Hands results on: a line each on standard output, or a JSON document each to an HTTP address.

  What cannot be delivered is tried again in order; when the queue is full the oldest result is dropped and
  counted. The queue is bounded, so a receiver that is away for a weekend does not take the machine with it.
  The counts live in a table, so that `/metrics` answers while a delivery hangs.
  """
  use GenServer
  require Logger

  @table __MODULE__
  @longest_queue 1_000
  @timeout 5_000
  @retry_after 5_000

  @doc "Options: `:forward_to`, an address or `nil` for standard output; `:api_token`; `:retry_after`."
  def start_link(options), do: GenServer.start_link(__MODULE__, options, name: __MODULE__)

  @doc "Takes a result to forward; never waits."
  def forward(result), do: GenServer.cast(__MODULE__, {:forward, result})

  @doc "How many results were forwarded, are waiting and were dropped."
  def counts, do: @table |> :ets.tab2list() |> Map.new()

  @impl true
  def init(options) do
    :ets.new(@table, [:named_table])
    :ets.insert(@table, forwarded: 0, waiting: 0, dropped: 0)

    {:ok,
     %{
       to: options[:forward_to],
       token: options[:api_token],
       retry_after: Keyword.get(options, :retry_after, @retry_after),
       queue: :queue.new(),
       # Whether a `:deliver` message is on its way.
       busy: false
     }}
  end

  @impl true
  def handle_cast({:forward, result}, %{to: nil} = state) do
    IO.puts(line(result))
    count(:forwarded, 1)
    {:noreply, state}
  end

  def handle_cast({:forward, result}, state) do
    unless state.busy, do: send(self(), :deliver)
    count(:waiting, 1)
    {:noreply, bound(%{state | queue: :queue.in(result, state.queue), busy: true})}
  end

  @impl true
  def handle_info(:deliver, state) do
    with {:value, result} <- :queue.peek(state.queue),
         {:ok, status} when status in 200..299 <-
           Orchestrator.HTTPClient.post(state.to, json(result), state.token, @timeout) do
      count(:forwarded, 1)
      send(self(), :deliver)
      {:noreply, drop(state)}
    else
      :empty ->
        {:noreply, %{state | busy: false}}

      failure ->
        Logger.warning("cannot forward to #{state.to}: #{inspect(failure)}; trying again")
        Process.send_after(self(), :deliver, state.retry_after)
        {:noreply, state}
    end
  end

  defp bound(state) do
    if :queue.len(state.queue) > @longest_queue do
      count(:dropped, 1)
      drop(state)
    else
      state
    end
  end

  defp drop(state) do
    count(:waiting, -1)
    %{state | queue: :queue.drop(state.queue)}
  end

  defp count(what, by), do: :ets.update_counter(@table, what, by)

  defp line(result) do
    reason = if result.status == :down, do: " reason=#{inspect(result.reason)}", else: ""

    "monitor=#{result.monitor} status=#{result.status} duration_ms=#{result.duration_ms}#{reason}"
  end

  defp json(result) do
    Orchestrator.JSON.object(
      monitor: result.monitor,
      status: result.status,
      reason: if(result.status == :down, do: result.reason),
      duration_ms: result.duration_ms,
      at: DateTime.to_iso8601(result.at)
    )
  end
end
