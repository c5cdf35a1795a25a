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
        cookie: "distribution-is-off"
      ]
    ]
  end
end
