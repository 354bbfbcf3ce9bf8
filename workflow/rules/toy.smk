rule toy:
    input:
        unpack(inputs("toy")),
    output:
        outputs("toy"),
    log:
        "logs/toy/{id}.log",
    benchmark:
        "logs/toy/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    message:
        "simulate Algorithm 1 in 2D, {wildcards.id}; follow it in {log}"
    shell:
        "python -m atebm toy {input.spec} > {log} 2>&1"


rule minimax:
    input:
        unpack(inputs("minimax")),
    output:
        outputs("minimax"),
    log:
        "logs/minimax/{id}.log",
    benchmark:
        "logs/minimax/{id}.tsv"
    conda:
        "../envs/torch.yaml"
    message:
        "simulate Algorithm 3 in 2D, {wildcards.id}; follow it in {log}"
    shell:
        "python -m atebm minimax {input.spec} > {log} 2>&1"
