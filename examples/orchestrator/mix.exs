defmodule Orchestrator.MixProject do
  use Mix.Project

  @version "0.1.0"

  def project do
    [
      app: :orchestrator,
      version: @version,
      # Ubuntu 22.04 ships 1.12, the oldest Elixir that a target builds with.
      elixir: "~> 1.12",
      elixirc_paths: if(Mix.env() == :test, do: ["lib", "test/support"], else: ["lib"]),
      start_permanent: Mix.env() == :prod,
      # None, on purpose: `mix release` then works without a network and without Hex.
      deps: [],
      releases: releases()
    ]
  end

  def application do
    [
      mod: {Orchestrator.Application, []},
      extra_applications: [:logger, :inets, :ssl]
    ]
  end

  defp releases do
    [
      orchestrator: [
        include_executables_for: [:unix],
        # The Erlang run time travels with the release: customers install nothing but the package.
        include_erts: true,
        strip_beams: true,
        # Everyone who downloads the package can read it, so it protects nothing. It is fixed to keep
        # builds identical; rel/env.sh.eex switches distribution, the one thing it is for, off.
        cookie: "distribution-is-off",
        steps: [:assemble, &follow_relative_links/1]
      ]
    ]
  end

  # The generated bin/orchestrator finds its release through `readlink "$0"`, the text of the link it is
  # called by. Called as /usr/bin/orchestrator, a relative link as Debian Policy 10.5 wants it, it would look
  # below the caller's current directory.
  defp follow_relative_links(release) do
    script = Path.join([release.path, "bin", "orchestrator"])
    text = File.read!(script)
    fixed = String.replace(text, ~S[readlink "$0"], ~S[readlink -f "$0"])
    if fixed == text, do: Mix.raise("#{script} has changed: see follow_relative_links/1 in mix.exs")
    File.write!(script, fixed)
    release
  end
end
