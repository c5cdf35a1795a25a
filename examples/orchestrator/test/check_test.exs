defmodule Orchestrator.CheckTest do
  use ExUnit.Case, async: true
  alias Orchestrator.Check

  test "a port that accepts is up, one that does not is down" do
    {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
    {:ok, port} = :inet.port(listener)
    assert Check.run({:tcp, '127.0.0.1', port}, 1_000) == :up
    :gen_tcp.close(listener)
    assert Check.run({:tcp, '127.0.0.1', port}, 1_000) == {:down, "econnrefused"}
  end

  test "an answer below 400 is up" do
    for {status, outcome} <- [{200, :up}, {302, :up}, {503, {:down, "status 503"}}] do
      url = Orchestrator.TestServer.start(status)
      assert Check.run({:http, url}, 1_000) == outcome
    end
  end

  test "a command is judged by its exit status" do
    assert Check.run({:command, "/bin/sh", ["-c", "echo much; exit 0"]}, 5_000) == :up
    assert Check.run({:command, "/bin/sh", ["-c", "exit 3"]}, 5_000) == {:down, "exit status 3"}
    assert Check.run({:command, "/nonexistent", []}, 5_000) == {:down, "enoent"}
  end

  test "a command that hangs is killed" do
    marker = "3#{System.unique_integer([:positive])}"
    assert Check.run({:command, "/bin/sleep", [marker]}, 50) == {:down, "timeout"}

    running? = fn ->
      for file <- Path.wildcard("/proc/[0-9]*/cmdline"),
          {:ok, line} <- [File.read(file)],
          line == "/bin/sleep\0#{marker}\0",
          do: file
    end

    # The kill is sent when `run/2` returns; the kernel finishes it on its own time.
    assert Enum.any?(1..500, fn _ -> running?.() == [] end)
  end
end
