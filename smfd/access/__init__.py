"""What the readers' doors need of us."""
