"""What an analysis declares of itself, in `specs/<analysis>.yaml`.

specification = reading.load(Path("specs/dilepton.yaml"))
values.overrides(specification.interface, {"signal.mass": "2.5 TeV"})    # {"signal": {"mass": 2500.0}}
"""
