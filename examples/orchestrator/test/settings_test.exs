defmodule Orchestrator.SettingsTest do
  use ExUnit.Case, async: true
  doctest Orchestrator.Settings
  doctest Orchestrator.JSON

  alias Orchestrator.Settings

  test "without any variable it listens on this machine only and prints results" do
    assert Settings.from_environment!(%{}) == [
             bind: {127, 0, 0, 1},
             port: 4480,
             monitors_file: "/etc/orchestrator/monitors.conf",
             forward_to: nil,
             api_token: nil
           ]
  end

  test "an empty variable is an unset one" do
    settings = Settings.from_environment!(%{"ORCHESTRATOR_PORT" => " ", "ORCHESTRATOR_API_TOKEN" => ""})
    assert settings[:port] == 4480
    assert settings[:api_token] == nil
  end

  test "a wrong value stops the start and names its variable" do
    for {name, value} <- [
          {"ORCHESTRATOR_PORT", "http"},
          {"ORCHESTRATOR_PORT", "70000"},
          {"ORCHESTRATOR_BIND", "localhost"},
          {"ORCHESTRATOR_FORWARD_TO", "collector:80"}
        ] do
      assert_raise ArgumentError, ~r/^#{name} is `#{value}`/, fn ->
        Settings.from_environment!(%{name => value})
      end
    end
  end

  test "control characters and bytes that are not UTF-8 become valid JSON" do
    assert Orchestrator.JSON.object(a: "x\ny") == ~S({"a":"x\u000Ay"})
    assert Orchestrator.JSON.object(a: <<255>>) == ~S({"a":"<<255>>"})
  end
end
