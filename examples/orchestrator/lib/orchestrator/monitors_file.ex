defmodule Orchestrator.MonitorsFile do
  @moduledoc """
  Reads `monitors.conf`: one monitor a line, `NAME EVERY KIND WHAT…`, comments behind `#`.

  All problems of a file are reported together, each with its line.
  """

  @type check ::
          {:tcp, charlist, :inet.port_number()}
          | {:http, String.t()}
          | {:command, Path.t(), [String.t()]}

  @type monitor :: %{name: String.t(), every: pos_integer, check: check}

  @units %{"ms" => 1, "s" => 1_000, "m" => 60_000, "h" => 3_600_000}

  @doc "Reads a file; raises with every problem found in it."
  @spec read!(Path.t()) :: [monitor]
  def read!(path) do
    case path |> File.read!() |> parse() do
      {:ok, monitors} ->
        monitors

      {:error, problems} ->
        raise ArgumentError, Enum.map_join(problems, "\n", fn {n, why} -> "#{path}:#{n}: #{why}" end)
    end
  end

  @doc "Parses the text of a file into monitors, or into problems with their line numbers."
  @spec parse(String.t()) :: {:ok, [monitor]} | {:error, [{pos_integer, String.t()}]}
  def parse(text) do
    {monitors, problems, _names} =
      text
      |> String.split(["\r\n", "\n"])
      |> Enum.with_index(1)
      |> Enum.map(fn {line, number} -> {String.split(line), number} end)
      |> Enum.reject(fn {words, _} -> words == [] or String.starts_with?(hd(words), "#") end)
      |> Enum.reduce({[], [], %{}}, &add_line/2)

    if problems == [], do: {:ok, Enum.reverse(monitors)}, else: {:error, Enum.reverse(problems)}
  end

  defp add_line({words, number}, {monitors, problems, names}) do
    case monitor(words) do
      {:ok, %{name: name}} when is_map_key(names, name) ->
        why = "`#{name}` is already the monitor of line #{names[name]}"
        {monitors, [{number, why} | problems], names}

      {:ok, monitor} ->
        {[monitor | monitors], problems, Map.put(names, monitor.name, number)}

      {:error, why} ->
        {monitors, [{number, why} | problems], names}
    end
  end

  defp monitor([name, every, kind | what]) when what != [] do
    with :ok <- name(name),
         {:ok, every} <- interval(every),
         {:ok, check} <- check(kind, what) do
      {:ok, %{name: name, every: every, check: check}}
    end
  end

  defp monitor(_), do: {:error, "a monitor is written `NAME EVERY KIND WHAT`"}

  defp name(name) do
    if name =~ ~r/\A[A-Za-z0-9_-]{1,64}\z/,
      do: :ok,
      else: {:error, "`#{name}` is no name: letters, digits, `-` and `_`, at most 64"}
  end

  defp interval(text) do
    with [_, count, unit] <- Regex.run(~r/\A([0-9]{1,9})(ms|s|m|h)\z/, text),
         # A timer's longest time, 49 days; and ten a second is enough for anyone.
         every when every in 100..4_294_967_295 <- String.to_integer(count) * @units[unit] do
      {:ok, every}
    else
      _ -> {:error, "`#{text}` is no interval: 500ms, 30s, 5m, 1h; at least 100ms"}
    end
  end

  defp check("tcp", [what]) do
    with [_, host, port] <- Regex.run(~r/\A\[?([^\[\]]+)\]?:([0-9]{1,5})\z/, what),
         port when port in 1..65_535 <- String.to_integer(port) do
      {:ok, {:tcp, String.to_charlist(host), port}}
    else
      _ -> {:error, "`#{what}` is not HOST:PORT"}
    end
  end

  defp check("http", [what]) do
    case URI.parse(what) do
      %URI{scheme: scheme, host: host} when scheme in ["http", "https"] and host not in [nil, ""] ->
        {:ok, {:http, what}}

      _ ->
        {:error, "`#{what}` is not an http(s) address"}
    end
  end

  defp check("command", ["/" <> _ = program | arguments]),
    do: {:ok, {:command, program, arguments}}

  defp check("command", [program | _]),
    do: {:error, "`#{program}` is not the absolute path of a program"}

  defp check(kind, _) when kind in ["tcp", "http"],
    do: {:error, "`#{kind}` takes one word after it"}

  defp check(kind, _), do: {:error, "`#{kind}` is no kind of monitor: tcp, http, command"}
end
