"""Language, vision, fusion and action heads, and the policies made of them."""
