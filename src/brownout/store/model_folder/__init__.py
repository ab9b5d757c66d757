"""What lies in the folder of a trained model beside the model itself."""

from brownout.store.model_folder.file_hashes import HASHES, check_hashes, write_hashes
from brownout.store.model_folder.interface import ModelInterface, read_interface, write_interface

__all__ = ["HASHES", "ModelInterface", "check_hashes", "read_interface", "write_hashes", "write_interface"]
