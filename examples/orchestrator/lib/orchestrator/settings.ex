defmodule Orchestrator.Settings do
  @moduledoc """
  The settings of the service, read from environment variables.

  They are documented for customers in `/etc/default/orchestrator`. A wrong value stops the start with a
  sentence that names the variable: a monitor that silently watches nothing is worse than one that is down.
  """

  @type t :: [
          bind: :inet.ip_address(),
          port: :inet.port_number(),
          monitors_file: Path.t(),
          forward_to: String.t() | nil,
          api_token: String.t() | nil
        ]

  @doc """
  Settings out of a map of environment variables.

      iex> Orchestrator.Settings.from_environment!(%{"ORCHESTRATOR_PORT" => "80"})[:port]
      80
  """
  @spec from_environment!(%{String.t() => String.t()}) :: t
  def from_environment!(environment) do
    [
      bind: environment |> value("BIND", "127.0.0.1") |> address!(),
      port: environment |> value("PORT", "4480") |> port!(),
      monitors_file: value(environment, "MONITORS", "/etc/orchestrator/monitors.conf"),
      forward_to: environment |> value("FORWARD_TO", nil) |> url!(),
      api_token: value(environment, "API_TOKEN", nil)
    ]
  end

  # An empty variable is an unset one: `ORCHESTRATOR_API_TOKEN=` in the file means "none".
  defp value(environment, name, default) do
    case environment |> Map.get("ORCHESTRATOR_" <> name, "") |> String.trim() do
      "" -> default
      value -> value
    end
  end

  defp address!(text) do
    case :inet.parse_strict_address(String.to_charlist(text)) do
      {:ok, address} -> address
      {:error, _} -> raise ArgumentError, "ORCHESTRATOR_BIND is `#{text}`, not an IP address"
    end
  end

  # 0 lets the kernel choose; the port is then in the log.
  defp port!(text) do
    case Integer.parse(text) do
      {port, ""} when port in 0..65_535 -> port
      _ -> raise ArgumentError, "ORCHESTRATOR_PORT is `#{text}`, not a port from 0 to 65535"
    end
  end

  defp url!(nil), do: nil

  defp url!(text) do
    case URI.parse(text) do
      %URI{scheme: scheme, host: host} when scheme in ["http", "https"] and host not in [nil, ""] ->
        text

      _ ->
        raise ArgumentError, "ORCHESTRATOR_FORWARD_TO is `#{text}`, not an http(s) address"
    end
  end
end
