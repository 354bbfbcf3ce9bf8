rule render_table:
    input:
        lambda wildcards: needs(wildcards.table),
        plan="work/specs/artifact/{table}.json",  # its content, not its age, decides: rewritten only when it changes
        notebook="notebooks/{table}.ipynb",
        code=DRAWING,
    output:
        multiext("results/{table}", out=".csv", markdown=".md"),
        notebook="results/notebooks/{table}.ipynb",
        html="results/notebooks/{table}.html",
    log:
        notebook="logs/render/{table}.ipynb",  # a log survives a failing cell, an output would not
        text="logs/render/{table}.log",
    conda:
        "../envs/report.yaml"
    message:
        "render {wildcards}"
    shell:
        "(python -m papermill --cwd . -k python3 --no-progress-bar {input.notebook} {log.notebook}"
        " -r plan {input.plan} -r out {output.out}"
        " && python -m atebm normalise {log.notebook} {output.notebook}"
        " && python -m nbconvert --to html --no-input --output-dir results/notebooks"
        " --HTMLExporter.mathjax_url= --HTMLExporter.require_js_url= --HTMLExporter.jquery_url= {output.notebook}"
        ") > {log.text} 2>&1"


use rule render_table as render_figure with:
    input:
        lambda wildcards: needs(wildcards.figure),
        plan="work/specs/artifact/{figure}.json",
        notebook="notebooks/{figure}.ipynb",
        code=DRAWING,
    output:
        multiext("results/{figure}", out=".png", vector=".svg", numbers=".csv"),
        notebook="results/notebooks/{figure}.ipynb",
        html="results/notebooks/{figure}.html",
    log:
        notebook="logs/render/{figure}.ipynb",
        text="logs/render/{figure}.log",


rule manifest:
    input:
        [f"results/notebooks/{artifact}.ipynb" for artifact in PLAN.artifacts],
        plans=[f"work/specs/artifact/{artifact}.json" for artifact in PLAN.artifacts],
    output:
        "results/manifest.json",
    log:
        "logs/render/manifest.log",
    conda:
        "../envs/torch.yaml"
    message:
        "write {output}"
    shell:
        "python -m atebm manifest {output} {input.plans} > {log} 2>&1"
