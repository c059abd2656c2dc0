"""What the attack on tables is made of: changes that an applicant could make, within a cost, and who looks for them."""
