defmodule OrchestratorTest do
  # The parts together, as `Orchestrator.Application` starts them. They have names: not async.
  use ExUnit.Case, async: false

  @moduletag :tmp_dir

  defp start(directory, monitors, settings) do
    file = Path.join(directory, "monitors.conf")
    File.write!(file, monitors)
    settings = Keyword.merge([monitors_file: file, port: 0], settings)
    Enum.each(Orchestrator.Application.children(settings), &start_supervised!/1)
    "http://127.0.0.1:#{Orchestrator.Endpoint.port(Orchestrator.Endpoint)}"
  end

  defp get(url) do
    {:ok, {{_, status, _}, headers, body}} = :httpc.request(:get, {String.to_charlist(url), []}, [], [])
    {status, headers, to_string(body)}
  end

  test "results are forwarded with the token and counted", %{tmp_dir: directory} do
    collector = Orchestrator.TestServer.start(202)
    monitors = "good 100ms command /bin/true\nbad 100ms command /bin/false\n"
    url = start(directory, monitors, forward_to: collector, api_token: "secret")

    requests = for _ <- 1..6, do: assert_receive({:request, _}, 5_000)
    text = Enum.map_join(requests, "\n", &elem(&1, 1))
    assert text =~ "authorization: Bearer secret"
    assert text =~ ~s("monitor":"good","status":"up","reason":null)
    assert text =~ ~s("monitor":"bad","status":"down","reason":"exit status 1")

    assert {200, headers, health} = get(url <> "/health")
    assert {'content-type', 'application/json'} in headers
    assert health == ~s({"status":"ok","version":"0.1.0","monitors":2,"down":1}\n)

    {200, _, metrics} = get(url <> "/metrics")
    assert metrics =~ ~s(orchestrator_monitor_up{monitor="good"} 1\n)
    assert metrics =~ ~s(orchestrator_monitor_up{monitor="bad"} 0\n)
    assert metrics =~ ~r/orchestrator_checks_total{monitor="bad",status="down"} [1-9]/
  end

  test "without an address results are lines on standard output" do
    output =
      ExUnit.CaptureIO.capture_io(fn ->
        start_supervised!({Orchestrator.Forwarder, []})
        # `capture_io` is for this process; the forwarder's output is its group leader's.
        Process.group_leader(Process.whereis(Orchestrator.Forwarder), Process.group_leader())
        down = %{monitor: "m", status: :down, reason: "exit status 1", duration_ms: 7, at: nil}
        Orchestrator.Forwarder.forward(down)
        :sys.get_state(Orchestrator.Forwarder)
      end)

    assert output == ~s(monitor=m status=down duration_ms=7 reason="exit status 1"\n)
  end

  @tag :capture_log
  test "a receiver that fails costs the oldest results, not the machine" do
    collector = Orchestrator.TestServer.start(500)
    start_supervised!({Orchestrator.Forwarder, forward_to: collector, retry_after: 60_000})
    result = %{monitor: "m", status: :up, reason: nil, duration_ms: 1, at: DateTime.utc_now()}
    for _ <- 1..1_010, do: Orchestrator.Forwarder.forward(result)
    :sys.get_state(Orchestrator.Forwarder)
    assert Orchestrator.Forwarder.counts() == %{forwarded: 0, waiting: 1_000, dropped: 10}
  end

  test "a problem in the monitors file stops the start and names the line", %{tmp_dir: directory} do
    assert_raise ArgumentError, ~r/monitors.conf:1: `x` is no interval/, fn ->
      start(directory, "m x tcp h:1\n", [])
    end
  end
end
