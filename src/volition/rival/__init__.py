"""The traditional rival of the learned policies: colours, shapes, known geometry and scripts, fed by what they are fed."""
