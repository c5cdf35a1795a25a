defmodule Orchestrator.Check do
  @moduledoc """
  One look at the thing a monitor watches: a connection, a request or a command.

  `run/2` always comes back within its time limit and never raises for what the other side does.
  """

  @type outcome :: :up | {:down, String.t()}

  @doc "Runs a check, for at most `timeout` milliseconds."
  @spec run(Orchestrator.MonitorsFile.check(), pos_integer) :: outcome
  def run({:tcp, host, port}, timeout) do
    case :gen_tcp.connect(host, port, [:binary, active: false], timeout) do
      {:ok, socket} ->
        :gen_tcp.close(socket)
        :up

      {:error, reason} ->
        {:down, describe(reason)}
    end
  end

  def run({:http, url}, timeout) do
    case Orchestrator.HTTPClient.get(url, timeout) do
      {:ok, status} when status < 400 -> :up
      {:ok, status} -> {:down, "status #{status}"}
      {:error, reason} -> {:down, describe(reason)}
    end
  end

  def run({:command, program, arguments}, timeout) do
    port =
      Port.open({:spawn_executable, program}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        :hide,
        args: arguments
      ])

    await_exit(port, System.monotonic_time(:millisecond) + timeout)
  rescue
    # `Port.open` raises for a program that is missing or not executable.
    error in ErlangError -> {:down, describe(error.original)}
  end

  defp await_exit(port, deadline) do
    receive do
      # What it prints is read, so that a full pipe does not block it, and dropped.
      {^port, {:data, _}} -> await_exit(port, deadline)
      {^port, {:exit_status, 0}} -> :up
      {^port, {:exit_status, status}} -> {:down, "exit status #{status}"}
    after
      max(deadline - System.monotonic_time(:millisecond), 0) ->
        kill(port)
        {:down, "timeout"}
    end
  end

  # Closing a port only closes the pipes; a command that hangs would stay for ever.
  defp kill(port) do
    with {:os_pid, pid} <- Port.info(port, :os_pid) do
      System.cmd("/bin/sh", ["-c", "kill -KILL #{pid}"], stderr_to_stdout: true)
    end

    if Port.info(port), do: Port.close(port)
  end

  defp describe(reason) when is_atom(reason), do: Atom.to_string(reason)
  defp describe({:failed_connect, details}), do: describe(List.last(details))
  defp describe({:inet, _, reason}), do: describe(reason)
  defp describe({:tls_alert, {alert, _}}), do: "TLS alert #{alert}"
  defp describe(reason), do: inspect(reason, limit: 5, printable_limit: 200)
end
