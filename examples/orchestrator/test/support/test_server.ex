defmodule Orchestrator.TestServer do
  @moduledoc """
  The other side of a connection: answers every request with one status and sends it to the test.
  """

  @doc "Starts a server for the calling test and returns its address."
  def start(status) do
    test = self()
    {:ok, listener} = :gen_tcp.listen(0, [:binary, ip: {127, 0, 0, 1}, active: false])
    {:ok, port} = :inet.port(listener)
    server = spawn_link(fn -> serve(listener, status, test) end)
    :ok = :gen_tcp.controlling_process(listener, server)
    "http://127.0.0.1:#{port}/"
  end

  defp serve(listener, status, test) do
    with {:ok, socket} <- :gen_tcp.accept(listener) do
      send(test, {:request, read(socket, "")})
      :gen_tcp.send(socket, "HTTP/1.1 #{status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
      :gen_tcp.close(socket)
      serve(listener, status, test)
    end
  end

  defp read(socket, text) do
    with [head, body] <- String.split(text, "\r\n\r\n", parts: 2),
         true <- byte_size(body) == content_length(head) do
      text
    else
      _ ->
        {:ok, more} = :gen_tcp.recv(socket, 0, 5_000)
        read(socket, text <> more)
    end
  end

  defp content_length(head) do
    case Regex.run(~r/content-length: *(\d+)/i, head) do
      [_, length] -> String.to_integer(length)
      nil -> 0
    end
  end
end
