rule network:
    input:
        unpack(inputs("network")),
    output:
        outputs("network"),
    log:
        "logs/network/{id}.log",
    benchmark:
        "logs/network/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    message:
        "list the layers of {wildcards.id}"
    shell:
        "python -m atebm network {input.spec} > {log} 2>&1"


rule check:
    input:
        unpack(inputs("check")),
    output:
        outputs("check"),
    log:
        "logs/check/{id}.log",
    benchmark:
        "logs/check/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    message:
        "compute the numbers behind Table 1, {wildcards.id}"
    shell:
        "python -m atebm check {input.spec} > {log} 2>&1"


# All cores are taken, so that no other job of this workflow runs meanwhile: time is what is measured. The step itself uses
# one, as `sample` does.
rule timing:
    input:
        unpack(inputs("timing")),
    output:
        outputs("timing"),
    log:
        "logs/timing/{id}.log",
    benchmark:
        "logs/timing/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: every_core
    resources:
        gpu=one_gpu,
    message:
        "measure the time of sampling, {wildcards.id}, alone on this machine"
    shell:
        "python -m atebm timing {input.spec} > {log} 2>&1"
