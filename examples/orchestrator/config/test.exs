import Config

# Each test starts what it needs; port 0 lets the kernel choose.
config :orchestrator, start: false
config :logger, level: :warning
