defmodule Orchestrator.Results do
  @moduledoc """
  The last result and the counts of each monitor: what `/health` and `/metrics` show.

  Results live in a public table, so that a request for them never waits for a process.
  """
  use GenServer

  @table __MODULE__

  def start_link(monitors), do: GenServer.start_link(__MODULE__, monitors, name: __MODULE__)

  @doc "Takes a result in."
  def put(%{monitor: name, status: status} = result) do
    [{^name, _last, counts}] = :ets.lookup(@table, name)
    :ets.insert(@table, {name, result, Map.update!(counts, status, &(&1 + 1))})
    :ok
  end

  @doc "Each monitor's name, last result (`nil` before the first) and counts, by name."
  def all, do: @table |> :ets.tab2list() |> Enum.sort()

  @impl true
  def init(monitors) do
    # A row has one writer, its monitor, so read-and-insert in `put/1` loses nothing.
    :ets.new(@table, [:named_table, :public, write_concurrency: true])
    for %{name: name} <- monitors, do: :ets.insert(@table, {name, nil, %{up: 0, down: 0}})
    {:ok, nil}
  end
end
