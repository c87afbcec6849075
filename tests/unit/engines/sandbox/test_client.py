from relance.engines.sandbox import client


def test_of_the_callers_variables_the_engines_see_only_what_they_need() -> None:
    outer = {"PATH": "/bin", "DOCKER_HOST": "x", "AWS_SECRET_ACCESS_KEY": "x", "APPTAINERENV_X": "x"}
    assert client.environment(outer) == {"PATH": "/bin", "DOCKER_HOST": "x"}
