"""SSDLite on MobileNetV3-large at 320 pixels, by torchvision."""

from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from metricloop.detector.torchvision_detector import from_torchvision

build = from_torchvision(ssdlite320_mobilenet_v3_large)
