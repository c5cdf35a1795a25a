defmodule Orchestrator.Endpoint do
  @moduledoc """
  The HTTP endpoint for load balancers and Prometheus: `GET /health` and `GET /metrics`, one request a connection.

  Small on purpose, and careful where a listening socket has to be: a request has five seconds and 64 headers,
  a line 8 KiB; at most 64 connections are served at a time, further ones wait in the kernel's queue.
  """
  use GenServer
  require Logger

  @deadline 5_000
  @longest_line 8_192
  @most_headers 64
  @most_connections 64

  @doc "Options: `:bind`, `:port`, and `:respond`, which maps a path to `{status, content_type, body}`."
  def start_link(options), do: GenServer.start_link(__MODULE__, options, name: options[:name])

  @doc "The port it listens on, of use where port 0 was asked for."
  def port(endpoint), do: GenServer.call(endpoint, :port)

  @impl true
  def init(options) do
    bind = Keyword.get(options, :bind, {127, 0, 0, 1})

    listen = [
      :binary,
      ip: bind,
      active: false,
      reuseaddr: true,
      backlog: 128,
      packet: :http_bin,
      packet_size: @longest_line,
      send_timeout: @deadline,
      send_timeout_close: true
    ]

    family = if tuple_size(bind) == 8, do: [:inet6], else: []

    with {:ok, socket} <- :gen_tcp.listen(options[:port], family ++ listen),
         {:ok, {_, port}} <- :inet.sockname(socket),
         {:ok, tasks} <- Task.Supervisor.start_link(max_children: @most_connections) do
      Logger.info("listening on http://#{:inet.ntoa(bind)}:#{port}")
      respond = Keyword.get(options, :respond, &Orchestrator.Status.respond/1)
      # Linked: when accepting ends, for whatever reason, the supervisor starts the endpoint anew.
      spawn_link(fn -> accept(socket, tasks, respond) end)
      {:ok, %{port: port}}
    else
      {:error, reason} ->
        message = "cannot listen on #{:inet.ntoa(bind)} port #{options[:port]}"
        {:stop, "#{message}: #{:inet.format_error(reason)}"}
    end
  end

  @impl true
  def handle_call(:port, _from, state), do: {:reply, state.port, state}

  defp accept(listener, tasks, respond) do
    case :gen_tcp.accept(listener) do
      {:ok, socket} -> hand_over(socket, tasks, respond)
      # The client left before we came; out of file descriptors, which connections will give back.
      {:error, :econnaborted} -> :ok
      {:error, reason} when reason in [:emfile, :enfile] -> Process.sleep(100)
    end

    accept(listener, tasks, respond)
  end

  defp hand_over(socket, tasks, respond) do
    serve = fn ->
      receive do
        :go -> serve(socket, respond)
      after
        @deadline -> :gen_tcp.close(socket)
      end
    end

    case Task.Supervisor.start_child(tasks, serve) do
      {:ok, pid} ->
        # Closes with its process, however that ends.
        with {:error, _} <- :gen_tcp.controlling_process(socket, pid), do: :gen_tcp.close(socket)
        send(pid, :go)

      {:error, :max_children} ->
        Process.sleep(10)
        hand_over(socket, tasks, respond)
    end
  end

  defp serve(socket, respond) do
    deadline = System.monotonic_time(:millisecond) + @deadline

    case read_request(socket, deadline) do
      {:ok, method, path} -> answer(socket, method, path, respond)
      {:bad, status} -> send_response(socket, "GET", {status, "text/plain", ""})
      :gone -> :ok
    end

    :gen_tcp.close(socket)
  end

  defp read_request(socket, deadline) do
    case receive_packet(socket, deadline) do
      {:ok, {:http_request, method, {:abs_path, target}, _version}} ->
        path = target |> String.split("?", parts: 2) |> hd()
        with :ok <- skip_headers(socket, deadline, 0), do: {:ok, to_string(method), path}

      {:ok, {:http_request, _method, _target, _version}} ->
        {:bad, 400}

      other ->
        failure(other)
    end
  end

  defp skip_headers(_socket, _deadline, @most_headers), do: {:bad, 431}

  defp skip_headers(socket, deadline, count) do
    case receive_packet(socket, deadline) do
      {:ok, :http_eoh} -> :ok
      {:ok, {:http_header, _, _, _, _}} -> skip_headers(socket, deadline, count + 1)
      other -> failure(other)
    end
  end

  # The deadline is the request's, not the packet's: a client that sends a header every four seconds ends too.
  defp receive_packet(socket, deadline),
    do: :gen_tcp.recv(socket, 0, max(deadline - System.monotonic_time(:millisecond), 0))

  defp failure({:error, :timeout}), do: {:bad, 408}
  defp failure({:error, :emsgsize}), do: {:bad, 431}
  defp failure({:error, _}), do: :gone
  defp failure({:ok, _}), do: {:bad, 400}

  defp answer(socket, method, path, respond) when method in ["GET", "HEAD"],
    do: send_response(socket, method, respond.(path))

  defp answer(socket, method, _path, _respond),
    do: send_response(socket, method, {405, "text/plain", "only GET and HEAD\n"})

  defp send_response(socket, method, {status, content_type, body}) do
    allow = if status == 405, do: "allow: GET, HEAD\r\n", else: ""

    head = [
      "HTTP/1.1 #{status} #{:httpd_util.reason_phrase(status)}\r\n",
      "content-type: #{content_type}\r\ncontent-length: #{byte_size(body)}\r\n",
      "cache-control: no-store\r\nconnection: close\r\n#{allow}\r\n"
    ]

    :gen_tcp.send(socket, if(method == "HEAD", do: head, else: [head, body]))
  end
end
