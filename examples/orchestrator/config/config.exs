import Config

# The journal adds the time.
config :logger, :console, format: "$level $message\n"

# Results are lines on standard output, not diagnostics: no start-up reports between them.
config :logger, handle_sasl_reports: false

import_config "#{config_env()}.exs"
