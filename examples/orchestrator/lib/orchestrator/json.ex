defmodule Orchestrator.JSON do
  @moduledoc """
  Writes flat JSON objects (RFC 8259), the only ones we send. OTP brings its own encoder from 27 on.
  """

  @doc """
  A JSON object out of a keyword list; the order is kept.

      iex> Orchestrator.JSON.object(name: "a\\"b", up: 1, reason: nil)
      ~S({"name":"a\\"b","up":1,"reason":null})
  """
  @spec object(keyword) :: String.t()
  def object(pairs) do
    "{" <> Enum.map_join(pairs, ",", fn {key, value} -> [text(key), ":", value(value)] end) <> "}"
  end

  defp value(nil), do: "null"
  defp value(number) when is_integer(number), do: Integer.to_string(number)
  defp value(other), do: text(other)

  defp text(atom) when is_atom(atom), do: atom |> Atom.to_string() |> text()

  defp text(string) do
    escaped =
      for <<character::utf8 <- valid(string)>>, into: "" do
        case character do
          ?" -> ~S(\")
          ?\\ -> ~S(\\)
          c when c < 0x20 -> "\\u" <> String.pad_leading(Integer.to_string(c, 16), 4, "0")
          c -> <<c::utf8>>
        end
      end

    ~s("#{escaped}")
  end

  # What another program said may be any bytes; JSON is UTF-8.
  defp valid(string), do: if(String.valid?(string), do: string, else: inspect(string))
end
