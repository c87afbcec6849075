rule histogram:
    input:
        program=f"{SCRIPTS}/histogram.py",
        regions="workflows/dilepton/regions.yaml",
        ntuples=template_ntuples,
    output:
        histograms=f"{OUTPUT}/histograms/{{sample}}.root",
    log:
        f"{OUTPUT}/logs/histograms/{{sample}}.log",
    conda:
        "../../../envs/analysis.yaml"
    container:
        image("analysis")
    params:
        luminosity=config["luminosity"],
    shell:
        "set -euo pipefail; mkdir -p $(dirname {output.histograms}) $(dirname {log}); "
        "python {input.program} --input {input.ntuples} --regions {input.regions} "
        "--luminosity-ifb {params.luminosity} --output {output.histograms} > {log} 2>&1"


rule pseudodata:
    input:
        program=f"{SCRIPTS}/pseudodata.py",
        regions="workflows/dilepton/regions.yaml",
        ntuples=ntuples(plan.PSEUDODATA, PLAN.backgrounds),
        signal=ntuples(plan.PSEUDODATA, [plan.SIGNAL] if PLAN.injects_signal else []),
    output:
        data=f"{OUTPUT}/data/pseudodata.root",
    log:
        f"{OUTPUT}/logs/pseudodata.log",
    conda:
        "../../../envs/analysis.yaml"
    container:
        image("analysis")
    params:
        luminosity=config["luminosity"],
        seed=PLAN.seed("pseudodata", "", "", 0),
        signal=PLAN.injection_options(ntuples(plan.PSEUDODATA, [plan.SIGNAL])),
    shell:
        "set -euo pipefail; mkdir -p $(dirname {output.data}) $(dirname {log}); "
        "python {input.program} --input {input.ntuples} {params.signal} --regions {input.regions} "
        "--luminosity-ifb {params.luminosity} --seed {params.seed} --output {output.data} > {log} 2>&1"
