"""git in a workspace: what its user's own git says of their files, and does to them."""
