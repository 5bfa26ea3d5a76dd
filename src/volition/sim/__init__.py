"""A humanoid in MuJoCo physics: assets, world, rendering, scenes."""
