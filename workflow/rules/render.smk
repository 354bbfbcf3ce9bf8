rule render_table:
    input:
        unpack(drawn("table")),
    output:
        out=report(
            RESULTS + "/{table}.csv", caption="../report/artifact.rst", category="Tables", labels=shown("all columns")
        ),
        markdown=RESULTS + "/{table}.md",
        notebook=RESULTS + "/notebooks/{table}.ipynb",
        html=report(
            RESULTS + "/notebooks/{table}.html",
            caption="../report/artifact.rst",
            category="Tables",
            labels=shown("notebook"),
        ),
        provenance=RESULTS + "/provenance/{table}.json",
    log:
        notebook=DRAWING + "/{table}.ipynb",  # a log survives a failing cell, an output would not
        text=DRAWING + "/{table}.log",
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
            RESULTS + "/{figure}.png", caption="../report/artifact.rst", category="Figures", labels=shown("picture")
        ),
        vector=RESULTS + "/{figure}.svg",
        numbers=RESULTS + "/{figure}.csv",
        notebook=RESULTS + "/notebooks/{figure}.ipynb",
        html=report(
            RESULTS + "/notebooks/{figure}.html",
            caption="../report/artifact.rst",
            category="Figures",
            labels=shown("notebook"),
        ),
        provenance=RESULTS + "/provenance/{figure}.json",
    log:
        notebook=DRAWING + "/{figure}.ipynb",
        text=DRAWING + "/{figure}.log",


rule manifest:
    input:
        [unless_stale(MANIFEST, f"{RESULTS}/{provenance(artifact)}") for artifact in PLAN.usual],
        request=unless_stale(MANIFEST, request_file(PLAN, MANIFEST)),
    output:
        f"{RESULTS}/{provenance(MANIFEST)}",
        RESULTS + "/metrics.json",
        [f"{RESULTS}/training/{run}.{seed}.csv" for run, seed in PLAN.trainings()],
    log:
        DRAWING + "/manifest.log",
    conda:
        "../envs/torch.yaml"
    message:
        "write {output}"
    shell:
        "python -m atebm manifest {RESULTS} {input.request} > {log} 2>&1"


rule site:
    input:
        unpack(shown_on_the_page),
    output:
        f"{RESULTS}/{PAGE}",
        f"{RESULTS}/{provenance(SITE)}",
    log:
        DRAWING + "/site.log",
    conda:
        "../envs/report.yaml"
    message:
        "write {output}"
    shell:
        "python -m atebm site {RESULTS} {input.request} > {log} 2>&1"
