"""What people look at: tables and drawings of models and operators."""
