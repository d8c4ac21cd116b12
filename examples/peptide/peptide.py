"""A task of one's own: peptides with a hydrophobicity in a window and without a forbidden motif.

The data are fragments of nine well-known proteins. Write them into a file, then use any command:

    python examples/peptide/peptide.py peptides.txt
    seqtutor pretrain examples/peptide/peptide.py:task --data peptides.txt --output peptide-prior
    seqtutor tune examples/peptide/peptide.py:task --prior peptide-prior --c 0.5 --discount 1
    seqtutor compare examples/peptide/peptide.py:task --prior peptide-prior --methods psi g rloo
"""

import re
import sys
from pathlib import Path

import numpy as np

import seqtutor as st

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
LONGEST = 20

# Kyte & Doolittle (1982), "A simple method for displaying the hydropathic character of a protein".
HYDROPATHY = dict(
    zip(
        RESIDUES,
        [
            *[1.8, 2.5, -3.5, -3.5, 2.8, -0.4, -3.2, 4.5, -3.9, 3.8],
            *[1.9, -3.5, -1.6, -3.5, -4.5, -0.8, -0.7, 4.2, -0.9, -1.3],
        ],
        strict=True,
    )
)
WINDOW = (0.5, 1.5)
"""Mean hydropathy that is wanted; that of soluble proteins lies around -0.4."""

SEQUON = re.compile(r"N[^P][ST]")
"""The motif at which a cell attaches sugars to a protein: it is not wanted."""

# Sequences of the mature chains, by their UniProt accession numbers.
PROTEINS = {
    "P0CG48": "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG",
    "P00698": "KVFGRCELAAAMKRHGLDNYRGYSLGNWVCAAKFESNFNTQATNRNTDGSTDYGILQINSRWWCNDGRTPGSRNLCN"
    "IPCSALLSSDITASVNCAKKIVSDGNGMNAWVAWRNRCKGTDVQAWIRGCRL",
    "P02185": "VLSEGEWQLVLHVWAKVEADVAGHGQDILIRLFKSHPETLEKFDRFKHLKTEAEMKASEDLKKHGVTVLTALGAILK"
    "KKGHHEAELKPLAQSHATKHKIPIKYLEFISEAIIHVLHSRHPGDFGADAQGAMNKALELFRKDIAAKYKELGYQG",
    "P69905": "VLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSHGSAQVKGHGKKVADALTNAVAHVDDMP"
    "NALSALSDLHAHKLRVDPVNFKLLSHCLLVTLAAHLPAEFTPAVHASLDKFLASVSTVLTSKYR",
    "P68871": "VHLTPEEKSAVTALWGKVNVDEVGGEALGRLLVVYPWTQRFFESFGDLSTPDAVMGNPKVKAHGKKVLGAFSDGLAH"
    "LDNLKGTFATLSELHCDKLHVDPENFRLLGNVLVCVLAHHFGKEFTPPVQAAYQKVVAGVANALAHKYH",
    "P61823": "KETAAAKFERQHMDSSTSAASSSNYCNQMMKSRNLTKDRCKPVNTFVHESLADVQAVCSQKNVACKNGQTNCYQSYST"
    "MSITDCRETGSSKYPNCAYKTTQANKHIIVACEGNPYVPVHFDASV",
    "P00004": "GDVEKGKKIFVQKCAQCHTVEKGGKHKTGPNLHGLFGRKTGQAPGFTYTDANKNKGITWKEETLMEYLENPKKYIPGT"
    "KMIFAGIKKKTEREDLIAYLKKATNE",
    "P42212": "MSKGEELFTGVVPILVELDGDVNGHKFSVSGEGEGDATYGKLTLKFICTTGKLPVPWPTLVTTFSYGVQCFSRYPDHM"
    "KQHDFFKSAMPEGYVQERTIFFKDDGNYKTRAEVKFEGDTLVNRIELKGIDFKEDGNILGHKLEYNYNSHNVYIMADKQKNGIKVN"
    "FKIRHNIEDGSVQLADHYQQNTPIGDGPVLLPDNHYLSTQSALSKDPNEKRDHMVLLEFVTAAGITHGMDELYK",
    "P01308": "FVNQHLCGSHLVEALYLVCGERGFFYTPKT",
}


def hydropathy(peptide: str) -> float:
    """The mean over residues; 0 of an empty peptide."""
    return float(np.mean([HYDROPATHY[residue] for residue in peptide])) if peptide else 0.0


def reward(peptides: list[str]) -> dict[str, list[float]]:
    """One number for each peptide and term: distance from the window, motifs, missing length."""
    means = [hydropathy(peptide) for peptide in peptides]
    low, high = WINDOW
    return {
        "window": [-max(low - mean, mean - high, 0.0) for mean in means],
        "motif": [-float(len(SEQUON.findall(peptide))) for peptide in peptides],
        "short": [-max(0, 8 - len(peptide)) / 8 for peptide in peptides],
    }


task = st.Task(
    st.Vocabulary([*RESIDUES, "."], end_token="."),
    max_length=LONGEST + 1,
    reward=st.string_reward(reward),
    name="peptide",
    measures=(
        st.Measure(
            "in_window",
            "Hydropathy in the window",
            better="higher",
            unit="share",
            of_strings=lambda peptides: [
                WINDOW[0] <= hydropathy(peptide) <= WINDOW[1] for peptide in peptides
            ],
        ),
        st.Measure(
            "with_motif",
            "With the forbidden motif",
            better="lower",
            unit="share",
            of_strings=lambda peptides: [bool(SEQUON.search(peptide)) for peptide in peptides],
        ),
        st.Measure(
            "length",
            "Mean length, residues",
            of_strings=lambda peptides: [len(peptide) for peptide in peptides],
        ),
    ),
)


def fragments() -> list[str]:
    """A fragment of 10 to 20 residues from every position of each protein."""
    generator = np.random.default_rng(0)
    found = []
    for protein in PROTEINS.values():
        starts = range(len(protein) - LONGEST)
        lengths = generator.integers(10, LONGEST + 1, len(starts))
        found += [protein[start : start + n] for start, n in zip(starts, lengths, strict=True)]
    return found


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(fragments()) + "\n", encoding="utf-8")
