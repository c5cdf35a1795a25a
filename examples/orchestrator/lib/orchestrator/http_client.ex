defmodule Orchestrator.HTTPClient do
  @moduledoc """
  The two requests we make, on `:httpc`. Certificates are verified; redirects are not followed.
  """

  # Where Debian and Ubuntu, then Red Hat and Amazon Linux, keep the bundle of `ca-certificates`.
  @bundles ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]

  @type answer :: {:ok, status :: pos_integer} | {:error, term}

  @doc "The status that a GET of `url` answers with."
  @spec get(String.t(), pos_integer) :: answer
  def get(url, timeout), do: request(:get, {String.to_charlist(url), headers()}, url, timeout)

  @doc "The status that a POST of a JSON text to `url` answers with."
  @spec post(String.t(), iodata, String.t() | nil, pos_integer) :: answer
  def post(url, json, token, timeout) do
    authorization = if token, do: [{'authorization', 'Bearer ' ++ to_charlist(token)}], else: []
    body = IO.iodata_to_binary(json)
    content = {String.to_charlist(url), headers() ++ authorization, 'application/json', body}
    request(:post, content, url, timeout)
  end

  defp request(method, content, url, timeout) do
    options = [timeout: timeout, connect_timeout: timeout, autoredirect: false] ++ tls(url)

    case :httpc.request(method, content, options, body_format: :binary) do
      {:ok, {{_version, status, _reason}, _headers, _body}} -> {:ok, status}
      {:error, reason} -> {:error, reason}
    end
  end

  defp headers, do: [{'user-agent', 'orchestrator'}, {'connection', 'close'}]

  defp tls("https:" <> _) do
    hostname = [match_fun: :public_key.pkix_verify_hostname_match_fun(:https)]
    verify = [verify: :verify_peer, depth: 5, customize_hostname_check: hostname]

    case Enum.find(@bundles, &File.exists?/1) do
      # Without a bundle the handshake fails, which is the right end of an unverifiable connection.
      nil -> [ssl: verify ++ [cacerts: []]]
      bundle -> [ssl: verify ++ [cacertfile: String.to_charlist(bundle)]]
    end
  end

  defp tls(_), do: []
end
