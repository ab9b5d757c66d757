"""What happens to a fleet: faults, migrations, maintenance."""
