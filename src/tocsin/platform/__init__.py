"""What the operator of the installation sees and does, over HTTP."""
