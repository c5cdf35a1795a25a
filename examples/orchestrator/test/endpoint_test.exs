defmodule Orchestrator.EndpointTest do
  use ExUnit.Case, async: true

  setup do
    respond = fn
      "/health" -> {200, "text/plain", "fine\n"}
      "/crash" -> raise "a bug"
      _ -> {404, "text/plain", "no\n"}
    end

    endpoint = start_supervised!({Orchestrator.Endpoint, port: 0, respond: respond})
    %{port: Orchestrator.Endpoint.port(endpoint)}
  end

  defp ask(port, text) do
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false])
    :ok = :gen_tcp.send(socket, text)
    read_all(socket, "")
  end

  defp read_all(socket, text) do
    case :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, more} -> read_all(socket, text <> more)
      {:error, _} -> text
    end
  end

  test "answers GET, ignoring the query", %{port: port} do
    answer = ask(port, "GET /health?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer =~ ~r/\AHTTP\/1.1 200 OK\r\n/
    assert answer =~ "content-length: 5\r\n"
    assert String.ends_with?(answer, "\r\n\r\nfine\n")
  end

  test "answers HEAD without the body", %{port: port} do
    answer = ask(port, "HEAD /health HTTP/1.0\r\n\r\n")
    assert answer =~ "content-length: 5\r\n"
    assert String.ends_with?(answer, "\r\n\r\n")
  end

  test "refuses what it does not serve", %{port: port} do
    assert ask(port, "GET /other HTTP/1.1\r\n\r\n") =~ "HTTP/1.1 404 "
    assert ask(port, "POST /health HTTP/1.1\r\n\r\n") =~ ~r/HTTP\/1.1 405 .*allow: GET, HEAD/s
    assert ask(port, "GET http://elsewhere/ HTTP/1.1\r\n\r\n") =~ "HTTP/1.1 400 "
    assert ask(port, "\x16\x03\x01 this is TLS\r\n\r\n") =~ "HTTP/1.1 400 "
  end

  test "bounds lines and headers", %{port: port} do
    long = String.duplicate("a", 10_000)
    assert ask(port, "GET /#{long} HTTP/1.1\r\n\r\n") =~ ~r/\A(HTTP\/1.1 431 |\z)/
    many = String.duplicate("x: y\r\n", 100)
    assert ask(port, "GET /health HTTP/1.1\r\n#{many}\r\n") =~ ~r/\A(HTTP\/1.1 431 |\z)/
  end

  @tag :capture_log
  test "survives a crash, a client that leaves and more clients than it serves at once", %{port: port} do
    assert ask(port, "GET /crash HTTP/1.1\r\n\r\n") == ""

    silent =
      for _ <- 1..100 do
        {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false])
        socket
      end

    Enum.each(silent, &:gen_tcp.close/1)
    assert ask(port, "GET /health HTTP/1.1\r\n\r\n") =~ "fine"
  end

  test "a port in use is an error that names it", %{port: port} do
    Process.flag(:trap_exit, true)
    assert {:error, message} = Orchestrator.Endpoint.start_link(port: port)
    assert message == "cannot listen on 127.0.0.1 port #{port}: address already in use"
  end
end
