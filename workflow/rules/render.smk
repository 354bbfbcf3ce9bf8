rule render_table:
    input:
        unpack(drawn("table")),
    output:
        out=report(
            "results/{table}.csv", caption="../report/artifact.rst", category="Tables", labels=shown("all columns")
        ),
        markdown="results/{table}.md",
        notebook="results/notebooks/{table}.ipynb",
        html=report(
            "results/notebooks/{table}.html",
            caption="../report/artifact.rst",
            category="Tables",
            labels=shown("notebook"),
        ),
        provenance="results/provenance/{table}.json",
    log:
        notebook="logs/render/{table}.ipynb",  # a log survives a failing cell, an output would not
        text="logs/render/{table}.log",
    conda:
        "../envs/report.yaml"
    params:
        title=title,
    message:
        "render {wildcards}"
    shell:
        "python -m atebm render {input.request} {input.notebook} {log.notebook} {output.out} > {log.text} 2>&1"


use rule render_table as render_figure with:
    input:
        unpack(drawn("figure")),
    output:
        out=report(
            "results/{figure}.png", caption="../report/artifact.rst", category="Figures", labels=shown("picture")
        ),
        vector="results/{figure}.svg",
        numbers="results/{figure}.csv",
        notebook="results/notebooks/{figure}.ipynb",
        html=report(
            "results/notebooks/{figure}.html",
            caption="../report/artifact.rst",
            category="Figures",
            labels=shown("notebook"),
        ),
        provenance="results/provenance/{figure}.json",
    log:
        notebook="logs/render/{figure}.ipynb",
        text="logs/render/{figure}.log",


rule manifest:
    input:
        [unless_stale(MANIFEST, provenance(artifact)) for artifact in PLAN.usual],
        request=unless_stale(MANIFEST, request_file(MANIFEST)),
    output:
        "results/manifest.json",
        "results/metrics.json",
        [f"results/training/{run}.{seed}.csv" for run, seed in PLAN.trainings()],
    log:
        "logs/render/manifest.log",
    conda:
        "../envs/torch.yaml"
    message:
        "write {output}"
    shell:
        "python -m atebm manifest results {input.request} > {log} 2>&1"


rule site:
    input:
        unpack(shown_on_the_page),
    output:
        PAGE,
        provenance(SITE),
    log:
        "logs/render/site.log",
    conda:
        "../envs/report.yaml"
    message:
        "write {output}"
    shell:
        "python -m atebm site results {input.request} > {log} 2>&1"
