"""What all rules share: the Rule itself, what it may see, and readings of facts that recur."""
