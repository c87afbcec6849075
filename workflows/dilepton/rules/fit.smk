rule fit:
    input:
        program=f"{SCRIPTS}/fit.py",
        regions="workflows/dilepton/regions.yaml",
        signal=f"{OUTPUT}/histograms/{plan.SIGNAL}.root",
        backgrounds=expand(
            f"{OUTPUT}/histograms/{{sample}}.root", sample=PLAN.backgrounds
        ),
        data=f"{OUTPUT}/data/pseudodata.root",
    output:
        workspace=f"{OUTPUT}/fit/workspace.json",
        result=f"{OUTPUT}/fit/result.json",
        table=f"{OUTPUT}/fit/limits.txt",
        plots=directory(f"{OUTPUT}/fit/plots"),
    log:
        f"{OUTPUT}/logs/fit.log",
    conda:
        "../../../envs/analysis.yaml"
    container:
        image("analysis")
    threads: 2
    params:
        luminosity=config["luminosity"],
        formats=PLAN.plot_options,
    shell:
        "set -euo pipefail; mkdir -p $(dirname {output.result}) $(dirname {log}); "
        "python {input.program} --signal {input.signal} --background {input.backgrounds} "
        "--data {input.data} --regions {input.regions} --luminosity-ifb {params.luminosity} "
        "--workspace {output.workspace} --result {output.result} --table {output.table} "
        "--plots {output.plots} {params.formats} > {log} 2>&1"
