"""What people see of an evaluation: pictures, and one page that stands alone."""
