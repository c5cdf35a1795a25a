defmodule Orchestrator.MonitorsFileTest do
  use ExUnit.Case, async: true
  alias Orchestrator.MonitorsFile

  test "reads the three kinds of monitor" do
    text = """
    # comment
    page 1m http https://example.com/x?y=1

      base 500ms tcp db.example.com:5432
    six  2h tcp [::1]:80
    disk 10s command /usr/bin/test -d /var/lib
    """

    assert MonitorsFile.parse(text) ==
             {:ok,
              [
                %{name: "page", every: 60_000, check: {:http, "https://example.com/x?y=1"}},
                %{name: "base", every: 500, check: {:tcp, 'db.example.com', 5432}},
                %{name: "six", every: 7_200_000, check: {:tcp, '::1', 80}},
                %{name: "disk", every: 10_000, check: {:command, "/usr/bin/test", ["-d", "/var/lib"]}}
              ]}
  end

  test "reports every problem with its line" do
    text = """
    a 1s tcp host
    b 1d http http://example.com/
    a 1s command true
    c
    d 1s ping host
    e 1s tcp h:1 x
    f{} 1s tcp h:1
    ok 1s tcp h:1
    ok 1s tcp h:2
    """

    assert {:error, problems} = MonitorsFile.parse(text)
    assert Enum.map(problems, &elem(&1, 0)) == [1, 2, 3, 4, 5, 6, 7, 9]
    assert List.last(problems) == {9, "`ok` is already the monitor of line 8"}
  end

  test "the file in the package has no problems" do
    assert [%{name: "self"}] = MonitorsFile.read!("config/monitors.conf")
  end
end
