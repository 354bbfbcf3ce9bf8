# Fetches only archives that are not there yet. If an archive needs a form or a browser, the job fails and says what to do.
rule fetch:
    output:
        "data/archives/{file}",
    log:
        "logs/fetch/{file}.log",
    retries: 2  # a retry resumes where the connection was lost
    localrule: True  # nodes of a cluster may have no internet access
    conda:
        "../envs/fetch.yaml"
    message:
        "fetch {wildcards.file}; follow it in {log}"
    shell:
        "python -m atebm fetch {wildcards.file} > {log} 2>&1"
