"""A command of several steps, done one after another: cut by its words alone, told to a policy sentence by sentence."""
