"""The papers that a dataset's methods come from, as BibTeX.

Which ones a version used is read off what it used: arXiv ids stand in a recipe's `paper`, in the `source:` of its
prompts, and in the docstrings of stages, rules and verifiers. What is known of each paper is the table PAPERS; an id
that is not in it is linked, and never made into an entry. Where the bibliographies at hand shorten a list of authors,
the entry ends in "and others".
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from filters.table import RULES
from filters.verifiers import VERIFIERS
from pipelines.stages.table import STAGES

_ID = re.compile(r"(?<![\d.])\d{2}(?:0[1-9]|1[0-2])\.\d{5}(?!\.?\d)")


class Paper(NamedTuple):
    """An entry of the table PAPERS; the year is that of the arXiv id."""

    title: str
    authors: str  # as BibTeX joins them


def cited(
    recipe: Mapping[str, Any], prompts: Mapping[str, str], rules: Iterable[str], verifiers: Iterable[str]
) -> list[str]:
    """The arXiv ids of what a version used, each once: its recipe's paper first, then prompts, stages and checks.

    `prompts` are the texts of templates by name; `rules` may be labels, as "novelty@1". What the tables do not have,
    because it is somebody's own, cites nothing.
    """
    texts = [str(recipe.get("paper", "")), *map(_source, prompts.values())]
    uses = [STAGES[each["use"]].run for each in recipe.get("stages", ()) if each.get("use") in STAGES]
    names = [label.partition("@")[0] for label in rules]
    uses += [RULES[name].run for name in names if name in RULES]
    uses += [VERIFIERS[name].check for name in verifiers if name in VERIFIERS]
    texts += [text for use in uses for text in _docs(use)]
    return list(dict.fromkeys(id for text in texts for id in ids_in(text)))


def ids_in(text: str) -> list[str]:
    """The arXiv ids that a text names, in their order."""
    return _ID.findall(text)


def _source(prompt: str) -> str:
    """The line `source:` in the header of a prompt."""
    header = prompt.split("\n---", 1)[0]
    return "".join(line for line in header.split("\n") if line.startswith("source:"))


def _docs(use: Any) -> Iterator[str]:
    """What is written above a function, and above its module."""
    yield inspect.getdoc(use) or ""
    module = inspect.getmodule(use)
    yield (module and module.__doc__) or ""


def bibtex(ids: Iterable[str]) -> str:
    """The entries of those papers that PAPERS knows, in the order of their keys."""
    return "\n\n".join(sorted(_entry(id, PAPERS[id]) for id in ids if id in PAPERS))


def _entry(id: str, paper: Paper) -> str:
    return (
        f"@misc{{{key(id)},\n"
        f"  title         = {{{{{paper.title}}}}},\n"
        f"  author        = {{{paper.authors}}},\n"
        f"  year          = {{{year(id)}}},\n"
        f"  eprint        = {{{id}}},\n"
        "  archivePrefix = {arXiv}\n"
        "}"
    )


def key(id: str) -> str:
    """What a citation of the paper is called: first author, year and first word, "yu2025cot"."""
    paper = PAPERS[id]
    first, word = paper.authors.split(" and ")[0].split()[-1], re.findall(r"[A-Za-z0-9.]+", paper.title)[0]
    return re.sub(r"[^a-z0-9]", "", f"{first}{year(id)}{word}".lower())


def year(id: str) -> str:
    """The year in which the paper came to arXiv."""
    return f"20{id[:2]}"


PAPERS: dict[str, Paper] = {
    "1606.05250": Paper(
        "SQuAD: 100,000+ Questions for Machine Comprehension of Text",
        "Pranav Rajpurkar and Jian Zhang and Konstantin Lopyrev and Percy Liang",
    ),
    "2112.09332": Paper(
        "WebGPT: Browser-assisted question-answering with human feedback",
        "Reiichiro Nakano and Jacob Hilton and Suchir Balaji and Jeff Wu and Long Ouyang and Christina Kim and"
        " Christopher Hesse and Shantanu Jain and Vineet Kosaraju and William Saunders and others",
    ),
    "2206.02336": Paper(
        "Making Large Language Models Better Reasoners with Step-Aware Verifier",
        "Yifei Li and Zeqi Lin and Shizhuo Zhang and Qiang Fu and Bei Chen and Jian-Guang Lou and Weizhu Chen",
    ),
    "2207.10397": Paper(
        "CodeT: Code Generation with Generated Tests",
        "Bei Chen and Fengji Zhang and Anh Nguyen and Daoguang Zan and Zeqi Lin and Jian-Guang Lou and Weizhu Chen",
    ),
    "2212.10560": Paper(
        "Self-Instruct: Aligning Language Models with Self-Generated Instructions",
        "Yizhong Wang and Yeganeh Kordi and Swaroop Mishra and Alisa Liu and Noah A. Smith and Daniel Khashabi and"
        " Hannaneh Hajishirzi",
    ),
    "2302.09664": Paper(
        "Semantic Uncertainty: Linguistic Invariances for Uncertainty Estimation in Natural Language Generation",
        "Lorenz Kuhn and Yarin Gal and Sebastian Farquhar",
    ),
    "2304.12244": Paper(
        "WizardLM: Empowering Large Language Models to Follow Complex Instructions",
        "Can Xu and Qingfeng Sun and others",
    ),
    "2308.12032": Paper(
        "From Quantity to Quality: Boosting LLM Performance with Self-Guided Data Selection for Instruction Tuning",
        "Li, Ming and others",
    ),
    "2311.07911": Paper(
        "Instruction-Following Evaluation for Large Language Models",
        "Jeffrey Zhou and Tianjian Lu and Swaroop Mishra and Siddhartha Brahma and Sujoy Basu and Yi Luan and"
        " Denny Zhou and Le Hou",
    ),
    "2402.00530": Paper(
        "Superfiltering: Weak-to-Strong Data Filtering for Fast Instruction-Tuning", "Li, Ming and others"
    ),
    "2403.07384": Paper(
        "SmallToLarge (S2L): Scalable Data Selection for Fine-tuning Large Language Models by Summarizing Training"
        " Trajectories of Small Models",
        "Yu Yang and Siddhartha Mishra and Jeffrey N. Chiang and Baharan Mirzasoleiman",
    ),
    "2405.18649": Paper(
        "Training LLMs to Better Self-Debug and Explain Code",
        "Nan Jiang and Xiaopeng Li and Shiqi Wang and Qiang Zhou and Soneya Binta Hossain and"
        " Baishakhi Ray and Varun Kumar and Xiaofei Ma and Anoop Deoras",
    ),
    "2410.01560": Paper(
        "OpenMathInstruct-2: Accelerating AI for Math with Massive Open-Source Instruction Data",
        "Shubham Toshniwal and Wei Du and Ivan Moshkov and Branislav Kisacanin and Alexan Ayrapetyan and Igor Gitman",
    ),
    "2412.09413": Paper(
        "Imitate, Explore, and Self-Improve: A Reproduction Report on Slow-thinking Reasoning Systems",
        "Yingqian Min and Zhipeng Chen and others",
    ),
    "2501.18578": Paper(
        "R.I.P.: Better Models by Survival of the Fittest Prompts",
        "Ping Yu and Weizhe Yuan and Olga Golovneva and Tianhao Wu and Sainbayar Sukhbaatar and Jason Weston and"
        " Jing Xu",
    ),
    "2501.18585": Paper(
        "Thoughts Are All Over the Place: On the Underthinking of o1-Like LLMs",
        "Yue Wang and Qiuzhi Liu and Jiahao Xu and Tian Liang and Xingyu Chen and Zhiwei He and Linfeng Song and"
        " Dian Yu and Juntao Li and Zhuosheng Zhang and others",
    ),
    "2501.19393": Paper(
        "s1: Simple test-time scaling",
        "Niklas Muennighoff and Zitong Yang and Weijia Shi and Xiang Lisa Li and Li Fei-Fei and Hannaneh Hajishirzi"
        " and Luke Zettlemoyer and Percy Liang and Emmanuel Candès and Tatsunori Hashimoto",
    ),
    "2502.03860": Paper(
        "BOLT: Bootstrap Long Chain-of-Thought in Language Models without Distillation",
        "Bo Pang and Hanze Dong and others",
    ),
    "2502.07374": Paper(
        "LLMs Can Easily Learn to Reason from Demonstrations Structure, not content, is what matters!",
        "Dacheng Li and Shiyi Cao and Tyler Griggs and Shu Liu and Xiangxi Mo and Eric Tang and Sumanth Hegde and"
        " Kourosh Hakhamaneshi and Shishir G. Patil and Matei Zaharia and others",
    ),
    "2502.14948": Paper(
        "Learning to Solve and Verify: A Self-Play Framework for Code and Test Generation",
        "Zi Lin and Sheng Shen and Jingbo Shang and Jason Weston and Yixin Nie",
    ),
    "2504.03380": Paper(
        "Online Difficulty Filtering for Reasoning Oriented Reinforcement Learning",
        "Sanghwan Bae and Jiwoo Hong and Min Young Lee and Hanbyul Kim and JeongYeon Nam and Donghyun Kwak",
    ),
    "2504.04383": Paper(
        "Retro-Search: Exploring Untaken Paths for Deeper and Efficient Reasoning",
        "Ximing Lu and Seungju Han and David Acuna and Hyunwoo Kim and Jaehun Jung and Shrimai Prabhumoye and"
        " Niklas Muennighoff and Mostofa Patwary and Mohammad Shoeybi and Bryan Catanzaro and Yejin Choi",
    ),
    "2504.10337": Paper(
        "Heimdall: test-time scaling on the generative verification",
        "Wenlei Shi and Xing Jin",
    ),
    "2504.13941": Paper(
        "Nemotron-CrossThink: Scaling Self-Learning beyond Math Reasoning",
        "Syeda Nahida Akter and Shrimai Prabhumoye and Matvei Novikov and Seungju Han and Ying Lin and"
        " Evelina Bakhturina and Eric Nyberg and Yejin Choi and Mostofa Patwary and Mohammad Shoeybi and"
        " Bryan Catanzaro",
    ),
    "2504.15362": Paper(
        "LongPerceptualThoughts: Distilling System-2 Reasoning for System-1 Perception",
        "Yuan-Hong Liao and Sven Elflein and Liu He and Laura Leal-Taixé and"
        " Yejin Choi and Sanja Fidler and David Acuna",
    ),
    "2504.21318": Paper(
        "Phi-4-reasoning Technical Report",
        "Marah Abdin and Sahaj Agarwal and Ahmed Awadallah and Vidhisha Balachandran and Harkirat Behl and"
        " Lingjiao Chen and Gustavo de Rosa and Suriya Gunasekar and Mojan Javaheripi and Neel Joshi and others",
    ),
    "2505.10320": Paper(
        "J1: Incentivizing Thinking in LLM-as-a-Judge via Reinforcement Learning",
        "Chenxi Whitehouse and Tianlu Wang and Ping Yu and Xian Li and Jason Weston and Ilia Kulikov and"
        " Swarnadeep Saha",
    ),
    "2505.12346": Paper(
        "SEED-GRPO: Semantic Entropy Enhanced GRPO for Uncertainty-Aware Policy Optimization",
        "Minghan Chen and Guikun Chen and Wenguan Wang and Yi Yang",
    ),
    "2505.15960": Paper(
        "Training Step-Level Reasoning Verifiers with Formal Verification Tools",
        "R. Kamoi and others",
    ),
    "2505.16400": Paper(
        "AceReason-Nemotron: Advancing Math and Code Reasoning through Reinforcement Learning",
        "Yang Chen and Zhuolin Yang and Zihan Liu and Chankyu Lee and Peng Xu and Mohammad Shoeybi and"
        " Bryan Catanzaro and Wei Ping",
    ),
    "2505.24760": Paper(
        "Reasoning Gym: Reasoning Environments for Reinforcement Learning with Verifiable Rewards",
        "Zafir Stojanovski and Oliver Stanley and Joe Sharratt and Richard Jones and Abdulhakeem Adefioye and"
        " Jean Kaddour and Andreas Köpf",
    ),
    "2506.01716": Paper(
        "Self-Challenging Language Model Agents",
        "Yifei Zhou and Sergey Levine and Jason Weston and Xian Li and Sainbayar Sukhbaatar",
    ),
    "2506.03295": Paper(
        "Unleashing the Reasoning Potential of Pre-trained LLMs by Critique Fine-Tuning on One Problem",
        "Yubo Wang and Ping Nie and Kai Zou and Lijun Wu and Wenhu Chen",
    ),
    "2507.01921": Paper(
        "NaturalThoughts: Selecting and Distilling Reasoning Traces for General Reasoning Tasks",
        "Yang Li and Youssef Emad and Karthik Padthe and Jack Lanchantin and Weizhe Yuan and Thao Nguyen and"
        " Jason Weston and Shang-Wen Li and Dong Wang and Ilia Kulikov and others",
    ),
    "2507.08794": Paper(
        "One Token to Fool LLM-as-a-Judge",
        "Yulai Zhao and Haolin Liu and Dian Yu and S. Y. Kung and Haitao Mi and Dong Yu",
    ),
    "2507.15640": Paper(
        "Data Mixing Agent: Learning to Re-weight Domains for Continual Pre-training",
        "Kailai Yang and Xiao Liu and others",
    ),
    "2507.23751": Paper(
        "CoT-Self-Instruct: Building high-quality synthetic prompts for reasoning and non-reasoning tasks",
        "Ping Yu and Jack Lanchantin and Tianlu Wang and Weizhe Yuan and Olga Golovneva and Ilia Kulikov and"
        " Sainbayar Sukhbaatar and Jason Weston and Jing Xu",
    ),
    "2508.16514": Paper(
        "FLAMES: Improving LLM Math Reasoning via a Fine-Grained Analysis of the Data Synthesis Pipeline",
        "Parker Seegmiller and others",
    ),
    "2509.02479": Paper(
        "SimpleTIR: End-to-End Reinforcement Learning for Multi-Turn Tool-Integrated Reasoning",
        "Zhenghai Xue and Longtao Zheng and Qian Liu and Yingru Li and Xiaosen Zheng and Zejun Ma and Bo An",
    ),
    "2509.03403": Paper(
        "Beyond Correctness: Harmonizing Process and Outcome Rewards through RL Training",
        "Chenlu Ye and Zhou Yu and Ziji Zhang and Hao Chen and Narayanan Sadagopan and Jing Huang and Tong Zhang and"
        " Anurag Beniwal",
    ),
    "2509.19284": Paper(
        "What Characterizes Effective Reasoning? Revisiting Length, Review, and Structure of CoT",
        "Yunzhen Feng and Julia Kempe and Cheng Zhang and Parag Jain and Anthony Hartshorn",
    ),
    "2509.21268": Paper(
        "MMR1: Enhancing Multimodal Reasoning with Variance-Aware Sampling and Open Resources",
        "Sicong Leng and Jing Wang and Jiaxi Li and Hao Zhang and Zhiqiang Hu and Boqiang Zhang and Yuming Jiang and"
        " Hang Zhang and Xin Li and Lidong Bing and Deli Zhao and Wei Lu and Yu Rong and Aixin Sun and Shijian Lu",
    ),
    "2509.24726": Paper(
        "Socratic-Zero: Bootstrapping Reasoning via Data-Free Agent Co-evolution",
        "Shaobo Wang and others",
    ),
    "2510.00915": Paper(
        "Reinforcement Learning with Verifiable yet Noisy Rewards under Imperfect Verifiers",
        "Xin-Qiang Cai and Wei Wang and Feng Liu and Tongliang Liu and Gang Niu and Masashi Sugiyama",
    ),
    "2510.08189": Paper(
        "R-Horizon: How Far Can Your Large Reasoning Model Really Go in Breadth and Depth?",
        "Yi Lu and others",
    ),
}
