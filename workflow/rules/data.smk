rule data:
    input:
        unpack(inputs("data")),
    output:
        outputs("data"),
    log:
        "logs/data/{id}.log",
    benchmark:
        "logs/data/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    message:
        "prepare data {wildcards.id}"
    shell:
        "python -m atebm data {input.spec} > {log} 2>&1"
