"""Dialog bAbI: six tasks of booking a table in a restaurant (Bordes, Boureau and Weston, 2017).

arXiv:1605.07683. Tasks 1 to 5 are simulated, task 6 is made from the second Dialog State Tracking Challenge.
"""

TASKS = {
    1: "issuing API calls",
    2: "updating API calls",
    3: "displaying options",
    4: "providing extra information",
    5: "full dialogs",
    6: "DSTC2",
}
# as the release names its files: dialog-babi-task1-API-calls-trn.txt
SLUGS = {1: "API-calls", 2: "API-refine", 3: "options", 4: "phone-address", 5: "full-dialogs", 6: "dstc2"}
