import Config

config :orchestrator, monitors_file: "config/monitors.conf"
