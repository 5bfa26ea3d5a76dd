"""What a policy is taught beside actions: which picture belongs to which words, where the thing is, what is done. `families.py` names them.

tokens of Views, Words, Context, Inputs, Targets -> losses by name, already weighted -> added to the head's.
Each loss is {} where the data set has no such truth, and zero with a gradient where a batch has nothing to learn from.
`Finished` is asked at run time too. Pictures are those of the newest step: the truth is of that moment.
"""
