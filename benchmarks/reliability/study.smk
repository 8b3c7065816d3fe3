"""The smallest whole study: the rules of the Snakefile for one data set, on few faces and with a tiny network."""

TINY = "--preset smoke --set width=2 --set epochs=5"
FACES = "data/synthetic/adience"


rule all:
    input:
        "build/report.done",


rule synthesize:
    output:
        f"{FACES}/SYNTHETIC.txt",
    shell:
        "rm -rf {FACES} && gra data synthesize --layout adience --subjects 40"


rule faces:
    input:
        f"{FACES}/SYNTHETIC.txt",
    output:
        "build/faces.json",
    shell:
        "gra data check adience --root {FACES} --json > {output}"


rule train:
    input:
        "build/faces.json",
    output:
        "build/{task}.run",
    shell:
        "gra run --task {wildcards.task} --dataset adience --root {FACES} {TINY} --progress lines > {output}"


rule notebook:
    input:
        "build/gender.run",
        "build/age_group.run",
    output:
        "build/adience.ipynb",
    shell:
        "gra notebook adience -p data_root={FACES} -p preset=smoke -p width=2 -p epochs=5 --out build/adience"


rule report:
    input:
        "build/adience.ipynb",
    output:
        touch("build/report.done"),
    shell:
        "mkdir -p build/notebooks && cp {input} build/notebooks/ && gra report"
