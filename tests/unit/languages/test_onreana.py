from relance.languages import onreana


def test_what_a_step_needs_from_outside_is_said_as_reana_reads_it() -> None:
    needed = [
        "CVMFS",
        "GRIDProxy",
        "kerberos: True",
        "kubernetes_memory_limit: 256Mi, kubernetes_uid: 500",
        "x: 1",
    ]
    assert onreana.lines(needed) == [
        "    resources:",
        "        voms_proxy=True,",
        "        kerberos=True,",
        '        kubernetes_memory_limit="256Mi",',
        "        kubernetes_uid=500,",
    ]


def test_a_value_that_is_code_stays_text() -> None:
    (_, line) = onreana.lines(['compute_backend: "; import os #'])
    assert line == '        compute_backend="\\"; import os #",'


def test_what_only_says_how_reana_runs_a_step_brings_nothing_from_outside() -> None:
    assert onreana.is_way("compute_backend: slurmcern")
    assert onreana.is_way("kubernetes_memory_limit: 256Mi, kubernetes_uid: 500")
    assert not onreana.is_way("kubernetes_uid: 500, kerberos: True")
    assert not onreana.is_way("CVMFS")


def test_a_step_that_needs_nothing_has_no_resources() -> None:
    assert onreana.lines(["CVMFS"]) == []
