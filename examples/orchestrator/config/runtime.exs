import Config

# The settings a customer edits: /etc/default/orchestrator, handed over by systemd as environment.
if config_env() == :prod do
  config :orchestrator, Orchestrator.Settings.from_environment!(System.get_env())
end
