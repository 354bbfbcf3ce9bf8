rule features:
    input:
        unpack(inputs("features")),
    output:
        outputs("features"),
    log:
        "logs/features/{id}.log",
    benchmark:
        "logs/features/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=one_gpu,
    message:
        "extract features of {wildcards.id}"
    shell:
        "python -m atebm features {input.spec} > {log} 2>&1"


rule metric:
    input:
        unpack(inputs("metric")),
    output:
        outputs("metric"),
    log:
        "logs/metric/{id}.log",
    benchmark:
        "logs/metric/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    message:
        "compute {wildcards.id}"
    shell:
        "python -m atebm metric {input.spec} > {log} 2>&1"


rule neighbours:
    input:
        unpack(inputs("neighbours")),
    output:
        outputs("neighbours"),
    log:
        "logs/neighbours/{id}.log",
    benchmark:
        "logs/neighbours/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=one_gpu,
    message:
        "search the neighbours of {wildcards.id}"
    shell:
        "python -m atebm neighbours {input.spec} > {log} 2>&1"
